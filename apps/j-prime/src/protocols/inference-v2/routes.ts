// The Open Inference Protocol v2, as KServe, Triton and MLServer speak it, for every version that is served here. Its errors
// are the `error` member that our problems have.
import type { HttpServer } from '@jarvis/runtime';
import { readTensorBodies } from './body.ts';
import { addModelRoutes, addServerRoutes, type MetadataRoutesOptions } from './metadata-routes.ts';
import { addInferRoutes, type InferRoutesOptions } from './infer-routes.ts';
import { addRepositoryRoutes } from './repository-routes.ts';

export type InferenceV2Options = MetadataRoutesOptions & InferRoutesOptions;

export async function addInferenceV2Routes(server: HttpServer, options: InferenceV2Options): Promise<void> {
  await server.register(async (scope) => {
    readTensorBodies(scope);
    addServerRoutes(scope, options);
    addModelRoutes(scope, options);
    addInferRoutes(scope, options);
    addRepositoryRoutes(scope, options.fleet);
  });
}
