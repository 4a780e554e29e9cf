// The binary tensor data extension: what follows the JSON of a body. BYTES is a length (uint32) and so many bytes for each
// element, FP32 four bytes each, all little-endian. The bytes come from anybody: whatever is wrong with them is told.
import { CodedError } from '@jarvis/contracts';

const LENGTH_BYTES = 4;
const FP32_BYTES = 4;

/** The elements, as views of `bytes`. @throws {CodedError} `invalid_request` unless it is exactly `count` of them */
export function readBytesElements(name: string, bytes: Buffer, count: number): Buffer[] {
  const elements: Buffer[] = [];
  let at = 0;
  while (elements.length < count) {
    const left = bytes.length - at;
    if (left < LENGTH_BYTES)
      throw wrong(name, `its binary data ends before element ${elements.length} of ${count}`);
    const length = bytes.readUInt32LE(at);
    if (length > left - LENGTH_BYTES)
      throw wrong(
        name,
        `element ${elements.length} says that it has ${length} bytes, and ${left - LENGTH_BYTES} are left`,
      );
    at += LENGTH_BYTES + length;
    elements.push(bytes.subarray(at - length, at));
  }
  if (at < bytes.length)
    throw wrong(name, `${bytes.length - at} bytes of its binary data are left after ${count} elements`);
  return elements;
}

/** @throws {CodedError} `invalid_request` unless it is exactly `count` numbers */
export function readFloats(name: string, bytes: Buffer, count: number): Float32Array {
  if (bytes.length !== count * FP32_BYTES)
    throw wrong(name, `${count} FP32 numbers are ${count * FP32_BYTES} bytes, not ${bytes.length}`);
  return Float32Array.from({ length: count }, (_, i) => bytes.readFloatLE(i * FP32_BYTES));
}

export function writeBytesElements(elements: readonly string[]): Buffer {
  return Buffer.concat(
    elements.flatMap((element) => {
      const bytes = Buffer.from(element);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

export function writeFloats(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * FP32_BYTES);
  for (const [i, number] of numbers.entries()) bytes.writeFloatLE(number, i * FP32_BYTES);
  return bytes;
}

export function wrong(name: string, what: string): CodedError {
  return new CodedError('invalid_request', `tensor "${name}": ${what}`);
}
