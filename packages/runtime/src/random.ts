// Chance and names as a parameter.
import { randomUUID } from 'node:crypto';

export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** A name that nobody else has, such as `job-018f…`. */
  id(prefix: string): string;
}

export const systemRandom: Random = {
  // oxlint-disable-next-line no-restricted-properties -- the one place where real chance is drawn
  unit: () => Math.random(),
  id: (prefix) => `${prefix}-${randomUUID()}`,
};
