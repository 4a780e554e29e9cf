// What is answered in the manner of OpenAI: at once, or as a stream of events.
import type { ServerResponse } from 'node:http';
import type { Said } from './model.ts';

/** What differs between chat and completion. */
export interface Form {
  readonly object: string;
  readonly chunkObject: string;
  /** A choice that says all. */
  whole(text: string): object;
  /** A choice that says some more; '' at the end. */
  part(text: string): object;
}

export const CHAT: Form = {
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  whole: (content) => ({ message: { role: 'assistant', content } }),
  part: (content) => ({ delta: content === '' ? {} : { role: 'assistant', content } }),
};
export const COMPLETION: Form = {
  object: 'text_completion',
  chunkObject: 'text_completion',
  whole: (text) => ({ text }),
  part: (text) => ({ text }),
};

/** What every answer to one request carries. */
export interface Envelope {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

export function usageOf({ promptTokens, tokens }: Said): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: tokens,
    total_tokens: promptTokens + tokens,
  };
}

export function wholeAnswer(form: Form, envelope: Envelope, said: Said): object {
  const choice = { index: 0, ...form.whole(said.text), finish_reason: said.reason };
  return { ...envelope, object: form.object, choices: [choice], usage: usageOf(said) };
}

export class AnswerStream {
  readonly #res: ServerResponse;
  readonly #form: Form;
  readonly #envelope: Envelope;

  constructor(res: ServerResponse, form: Form, envelope: Envelope) {
    this.#res = res;
    this.#form = form;
    this.#envelope = envelope;
    // Not sent yet: what fails before the first word is still an answer with a status of its own.
    res.statusCode = 200;
    res.setHeader('content-type', 'text/event-stream; charset=utf-8');
    res.setHeader('cache-control', 'no-cache');
  }

  /** A token is some bytes and the context bounds their number: a slow reader costs kilobytes. */
  say(text: string): void {
    this.#send({ choices: [{ index: 0, ...this.#form.part(text), finish_reason: null }] });
  }

  end(said: Said, withUsage: boolean): void {
    this.#send({ choices: [{ index: 0, ...this.#form.part(''), finish_reason: said.reason }] });
    if (withUsage) this.#send({ choices: [], usage: usageOf(said) });
    this.#res.end('data: [DONE]\n\n');
  }

  fail(message: string): void {
    this.#res.end(`data: ${JSON.stringify({ error: { message, type: 'server_error' } })}\n\n`);
  }

  #send(more: object): void {
    const event = { ...this.#envelope, object: this.#form.chunkObject, ...more };
    this.#res.write(`data: ${JSON.stringify(event)}\n\n`);
  }
}
