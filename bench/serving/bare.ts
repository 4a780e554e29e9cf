// The least that could serve the model: Fastify, one route, and the same code around the same session; no versions, no
// sessions, no schema. `bare.ts PORT ARTIFACT-FOLDER`; with `echo` for the folder it answers without a model, which
// tells how much the client can ask for.
import Fastify from 'fastify';
import { loadModel } from '@jarvis/model-kinds';

const [port, dir = ''] = process.argv.slice(2);
const model = dir === 'echo' ? null : await loadModel(dir);
const server = Fastify();

server.post<{ Body: { text: string } }>('/predict', async ({ body }) => {
  if (model === null) return { intent: body.text.length > 0 ? 'none' : '' };
  const [prediction] = await model.predict([{ text: body.text }]);
  return { ...prediction?.output, confidence: prediction?.confidence };
});
await server.listen({ port: Number(port), host: '127.0.0.1' });
process.stdout.write('ready\n');
