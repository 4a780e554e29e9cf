// A program: scores two artifacts on the held-out rows of a data set, paired, and prints the counts as JSON. A process of
// its own, so that a model that takes its runtime down takes nothing else with it.
//   node score.ts CANDIDATE_FOLDER CHAMPION_FOLDER DATASET
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { datasetRowSchema, type DatasetRow } from '@jarvis/contracts';
import { isCorrect, loadModel } from '@jarvis/model-kinds';

const [candidateFolder, championFolder, dataset] = process.argv.slice(2);
if (candidateFolder === undefined || championFolder === undefined || dataset === undefined) {
  process.stderr.write('usage: score.ts CANDIDATE_FOLDER CHAMPION_FOLDER DATASET\n');
  process.exit(64);
}

const rows: DatasetRow[] = [];
for await (const line of createInterface({ input: createReadStream(dataset) })) {
  if (line === '') continue;
  const row = datasetRowSchema.parse(JSON.parse(line));
  if (row.split === 'gate') rows.push(row);
}

async function correctOf(folder: string): Promise<boolean[]> {
  const model = await loadModel(folder);
  const correct: boolean[] = [];
  for (const row of rows) {
    const [prediction] = await model.predict([row.input]);
    correct.push(prediction !== undefined && isCorrect(model.kind, prediction.output, row.expected_output));
  }
  await model.dispose();
  return correct;
}

const candidate = await correctOf(candidateFolder);
const champion = await correctOf(championFolder);
const count = (holds: (i: number) => boolean): number => rows.filter((_, i) => holds(i)).length;
process.stdout.write(
  JSON.stringify({
    rows: rows.length,
    candidateCorrect: count((i) => candidate[i] === true),
    championCorrect: count((i) => champion[i] === true),
    candidateOnly: count((i) => candidate[i] === true && champion[i] !== true),
    championOnly: count((i) => champion[i] === true && candidate[i] !== true),
  }),
);
