// A program: loads an artifact as J-Prime would, and lets it answer one sample input of its kind. A process of its own, so
// that a foreign model that takes its runtime down takes nothing else with it.
//   node try-model.ts FOLDER
import { loadModel, sampleInput } from '@jarvis/model-kinds';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('usage: try-model.ts FOLDER\n');
  process.exit(64);
}
const model = await loadModel(folder);
const [prediction] = await model.predict([sampleInput(model.kind)]);
await model.dispose();
const { confidence } = prediction ?? { confidence: Number.NaN };
if (!(confidence >= 0 && confidence <= 1))
  throw new Error(`the model answers a sample input with the confidence ${confidence}`);
