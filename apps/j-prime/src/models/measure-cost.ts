// Warms a model, and measures what one prediction costs it.
import { type LoadedModel, sampleInput } from '@jarvis/model-kinds';
import { MEASURED_PREDICTIONS, MEASURING_MS_MAX, WARM_PREDICTIONS } from './limits.ts';

/** The median in milliseconds, of a few after the first; of fewer when they are slow. @throws what the model throws */
export async function measureCost(model: LoadedModel, nowMs: () => number): Promise<number> {
  const sample = sampleInput(model.kind);
  const costsMs: number[] = [];
  const fromMs = nowMs();
  for (let i = 0; i < WARM_PREDICTIONS + MEASURED_PREDICTIONS; i++) {
    const startedMs = nowMs();
    await model.predict([sample]);
    const endedMs = nowMs();
    if (i >= WARM_PREDICTIONS) costsMs.push(endedMs - startedMs);
    if (costsMs.length > 0 && endedMs - fromMs > MEASURING_MS_MAX) break;
  }
  costsMs.sort((a, b) => a - b);
  return costsMs[Math.floor(costsMs.length / 2)] ?? 0;
}
