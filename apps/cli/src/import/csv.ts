// `csv`: rows below a header that names the columns; separated by comma, semicolon or tab, as the header is.
import { parse, type Parser } from 'csv-parse';
import { BrokenFile, type Found, type Mapping, notMapped } from './found.ts';
import { rowExperience, type RowFields, rowFieldsOf, wantedFields } from './rows.ts';
import { type InputFile, readText, type Reading } from './text.ts';

const SEPARATORS = [',', ';', '\t'];
/** A quote that is never closed takes in the rest of the file up to here. */
const RECORD_CHARS_MAX = 1024 * 1024;

interface Row {
  readonly record: readonly string[];
  readonly lines: number;
}

interface Header {
  readonly names: readonly string[];
  readonly fields: RowFields;
}

export async function* readCsv(file: InputFile, mapping: Mapping, reading: Reading): AsyncGenerator<Found> {
  const text = readText(file, reading);
  const first = await text.next();
  if (first.done === true) return;
  const rows: Row[] = [];
  const parser = createParser(separatorOf(first.value), (row) => rows.push(row));
  let header: Header | null = null;
  let line = 0;
  for await (const error of fed(parser, first.value, text)) {
    // Rows before a mistake count.
    for (const row of rows.splice(0)) {
      line = row.lines;
      if (header === null) header = headerOf(row, mapping);
      else yield foundIn(row, header);
    }
    // An open quote is noticed far below where it stands.
    if (error !== null) throw new BrokenFile('not_readable', line + 1, error.message);
  }
}

/** After each piece, whether it was a mistake. */
async function* fed(
  parser: Parser,
  first: string,
  rest: AsyncIterable<string>,
): AsyncGenerator<Error | null> {
  yield await written(parser, first);
  for await (const piece of rest) yield await written(parser, piece);
  yield await new Promise((done) => {
    parser.once('error', done);
    // Nothing is read from the parser: it ends when that is said.
    parser.once('end', () => done(null)).resume();
    parser.end();
  });
}

function written(parser: Parser, piece: string): Promise<Error | null> {
  return new Promise((done) => {
    parser.write(piece, (error) => done(error ?? null));
  });
}

function createParser(delimiter: string, onRow: (row: Row) => void): Parser {
  const parser = parse({
    bom: true,
    delimiter,
    // Rows of another length are told here, with their place.
    relax_column_count: true,
    // A quote in the middle is one; to skip its row would be to skip all up to the next quote, as one row.
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: RECORD_CHARS_MAX,
    // As soon as it is there: a mistake further on would take with it what waits to be read.
    on_record: (record: string[], { lines }) => {
      onRow({ record, lines });
      return null;
    },
  });
  // It is told where it happens.
  parser.on('error', () => {});
  return parser;
}

/** The one that the header has most of. */
function separatorOf(text: string): string {
  const header = (text.split('\n', 1)[0] ?? '').replaceAll(/"[^"]*"/g, '');
  const count = (separator: string): number => header.split(separator).length;
  return SEPARATORS.reduce((best, one) => (count(one) > count(best) ? one : best));
}

function headerOf({ record, lines }: Row, mapping: Mapping): Header {
  const twice = record.find((name, i) => record.indexOf(name) !== i);
  if (twice !== undefined)
    throw new BrokenFile('unknown_shape', lines, `the header has the column ${twice} twice`);
  const fields = rowFieldsOf(record, mapping);
  if (fields !== null) return { names: record, fields };
  throw new BrokenFile(
    'unknown_shape',
    lines,
    `the header has the columns ${record.join(', ')}; what is read are ${wantedFields(mapping)} (--text-column, --label-column)`,
  );
}

function foundIn({ record, lines }: Row, { names, fields }: Header): Found {
  const place = { line: lines, at: null };
  if (record.length !== names.length)
    return notMapped('not_csv', place, `${record.length} fields under ${names.length} columns`);
  const row = new Map(names.map((name, i) => [name, record[i]]));
  return rowExperience(row, fields, { place, format: 'csv' });
}
