// Intent recognition: text in, intent out, or `oos` for what is none of the known ones.
export { decide, type Verdict } from './decide.ts';
export { GRAPH_FILE, type NluEncoding, NLU_SCHEME, nluEncodingSchema, VOCABULARY_FILE } from './encoding.ts';
export { countFeatures, type FeatureCounts } from './features.ts';
export { writeNluGraph, type NluWeights } from './graph.ts';
export { nluOutputSchema } from './kind.ts';
export {
  encode,
  makeVocabulary,
  readVocabulary,
  type SparseVector,
  type Vocabulary,
  weigh,
  writeVocabulary,
} from './vocabulary.ts';
