// What is asked in the manner of OpenAI, as far as a model in this process can do it; other fields are left unread.
import { z } from 'zod';
import type { ChatTurn } from './library.ts';

const textPart = z.object({ type: z.literal('text'), text: z.string() });
const content = z
  .union([z.string(), z.array(textPart)])
  .transform((given) => (typeof given === 'string' ? given : given.map((part) => part.text).join('')));
const message = z.object({ role: z.enum(['system', 'developer', 'user', 'assistant']), content });

/** As llama-server's. */
const TEMPERATURE = 0.8;
const STOPS_MAX = 16;
const MESSAGES_MAX = 10_000;
const INPUTS_MAX = 1024;

const common = {
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(STOPS_MAX)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
};

export const chatRequest = z.object({ messages: z.array(message).min(1).max(MESSAGES_MAX), ...common });
export const completionRequest = z.object({ prompt: z.string(), ...common });
export const embeddingRequest = z.object({
  input: z
    .union([z.string(), z.array(z.string()).min(1).max(INPUTS_MAX)])
    .transform((given) => (typeof given === 'string' ? [given] : given)),
});

export type CommonRequest = Omit<z.infer<typeof completionRequest>, 'prompt'>;

export function turnsOf(messages: z.infer<typeof chatRequest>['messages']): ChatTurn[] {
  return messages.map(({ role, content: text }): ChatTurn => {
    if (role === 'assistant') return { type: 'model', response: [text] };
    return { type: role === 'user' ? 'user' : 'system', text };
  });
}

export function wishOf(asked: CommonRequest) {
  const { stop } = asked;
  return {
    maxTokens: asked.max_completion_tokens ?? asked.max_tokens ?? null,
    temperature: asked.temperature ?? TEMPERATURE,
    topP: asked.top_p ?? null,
    seed: asked.seed ?? null,
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
  };
}
