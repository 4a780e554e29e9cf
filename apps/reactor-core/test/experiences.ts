// Commands to learn from: each intent has words of its own and shares the rest.
import type { Experience } from '@jarvis/contracts';

const OPENINGS = ['please', 'could you', 'i want to', 'now', 'hey', 'kindly', 'we should', 'time to'];
const WORDS = ['bako', 'ritu', 'mesol', 'fandig', 'pelwur', 'zanlod', 'kirom', 'tosef'];

export function command(text: string, intent: string): Experience {
  return { type: 'command', input: { text }, expected_output: { intent } };
}

/** `intent(i)`: what the i-th intent is called; a permutation of the names makes a model that errs. */
export function commands(intents: number, each: number, intent = (i: number) => `intent-${i}`): Experience[] {
  return Array.from({ length: intents * each }, (_, n) => {
    const i = n % intents;
    const turn = Math.floor(n / intents);
    const opening = OPENINGS[turn % OPENINGS.length] ?? '';
    return command(`${opening} ${WORDS[i % WORDS.length]} the ${WORDS[i % WORDS.length]}s`, intent(i));
  });
}
