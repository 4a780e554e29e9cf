// What of J-Prime's environment an LLM server gets: its own settings (CUDA_VISIBLE_DEVICES, HF_HOME, LD_LIBRARY_PATH, ...)
// have many names, so it gets all but what the catalogue calls secret.
import { ENVIRONMENT, type VariableName } from '@jarvis/contracts';

type Variables = Readonly<Record<string, string | undefined>>;

export function withoutSecrets(environment: Variables): Variables {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSecret(name)));
}

function isSecret(name: string): boolean {
  const known = Object.hasOwn(ENVIRONMENT, name) ? ENVIRONMENT[name as VariableName] : undefined;
  return known !== undefined && 'secret' in known;
}
