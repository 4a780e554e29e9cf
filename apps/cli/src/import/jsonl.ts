// `jsonl`: experiences as the API has them, or rows of {text, label}; one a line, or in one array.
import { MODEL_TYPE_OF_EXPERIENCE } from '@jarvis/contracts';
import { checked, type Found, type Mapping, notMapped } from './found.ts';
import { type JsonRecord, readJsonRecords } from './json-records.ts';
import { rowExperience, rowFieldsOf, wantedFields } from './rows.ts';
import type { InputFile, Reading } from './text.ts';

export async function* readJsonl(file: InputFile, mapping: Mapping, reading: Reading): AsyncGenerator<Found> {
  for await (const record of readJsonRecords(file, reading))
    yield 'code' in record ? record : foundIn(record, mapping);
}

function foundIn({ value, place }: JsonRecord, mapping: Mapping): Found {
  if ('type' in value && 'input' in value && typeof value['input'] === 'object')
    return ofAsked(checked(value, place), mapping);
  const fields = rowFieldsOf(Object.keys(value), mapping);
  if (fields === null)
    return notMapped('unknown_shape', place, `it has no type and input, nor ${wantedFields(mapping)}`);
  return rowExperience(new Map(Object.entries(value)), fields, { place, format: 'jsonl' });
}

function ofAsked(found: Found, { modelType }: Mapping): Found {
  if ('code' in found || modelType === null) return found;
  const type = MODEL_TYPE_OF_EXPERIENCE[found.experience.type];
  return type === modelType ? found : notMapped('other_model_type', found, `${type}, not ${modelType}`);
}
