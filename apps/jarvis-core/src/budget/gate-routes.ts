// HTTP of the gate: all training is paused, and goes on.
import { trainingGateSchema, trainingPauseSchema } from '@jarvis/contracts';
import type { HttpServer } from '@jarvis/runtime';
import type { TrainingGate } from './gate.ts';

export function addGateRoutes(server: HttpServer, gate: TrainingGate, onChange: () => void): void {
  const response = { 200: trainingGateSchema };
  server.get(
    '/api/training',
    { schema: { summary: 'Whether trainings may run now, and why not', response } },
    () => gate.state(),
  );
  server.post(
    '/api/training/pause',
    {
      schema: {
        summary: 'Nothing trains: what runs stops at a checkpoint, and goes on from there later',
        body: trainingPauseSchema,
        response,
      },
    },
    async (req) => {
      await gate.pause(req.body.reason, req.body.seconds);
      onChange();
      return gate.state();
    },
  );
  server.post('/api/training/resume', { schema: { summary: 'End of the pause', response } }, async () => {
    await gate.resume();
    onChange();
    return gate.state();
  });
}
