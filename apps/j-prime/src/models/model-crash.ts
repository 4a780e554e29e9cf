// The thread of a model is gone, and what ran in it with it.
export class ModelCrash extends Error {
  override readonly name = 'ModelCrash';
}
