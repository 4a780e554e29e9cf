// A stream that keeps what is written to it; a terminal or none.
import { Writable } from 'node:stream';

export interface Page {
  readonly stream: NodeJS.WriteStream;
  readonly text: () => string;
}

export function page(isTTY: boolean): Page {
  let text = '';
  const writable = new Writable({
    decodeStrings: false,
    write: (more: string, _, done) => {
      text += more;
      done();
    },
  });
  const stream = Object.assign(writable, { isTTY, columns: 80 }) as unknown as NodeJS.WriteStream;
  return { stream, text: () => text };
}
