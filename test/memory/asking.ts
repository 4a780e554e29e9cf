// A person who asks the LLM through J-Prime.
import type { SmallMachine } from './small-machine.ts';

export interface Told {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly ms: number;
}

export async function ask(machine: SmallMachine): Promise<Told> {
  const from = performance.now();
  try {
    const answer = await machine.post('j-prime', '/v1/chat/completions', {
      model: 'fixture',
      messages: [{ role: 'user', content: 'what is the weather' }],
    });
    await answer.arrayBuffer();
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      ms: performance.now() - from,
    };
  } catch {
    return { status: 0, retryAfter: null, ms: performance.now() - from };
  }
}
