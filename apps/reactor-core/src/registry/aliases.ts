// HTTP of aliases: people name versions, and may not touch the names that the rollouts keep.
import {
  aliasRequestSchema,
  aliasSchema,
  CodedError,
  modelAliasesSchema,
  modelAliasSchema,
  modelTypeSchema,
} from '@jarvis/contracts';
import { type Clock, type HttpServer, isoNow } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import {
  countOwnAliases,
  findOwnAlias,
  isKeptAlias,
  listAliases,
  removeAlias,
  setAlias,
} from '../store/aliases.ts';
import { mustFindVersion } from './named-version.ts';

/** Each keeps a version from being retired. */
const OWN_ALIASES_MAX = 100;
const TAGS = ['registry'];
const params = z.object({ kind: modelTypeSchema, name: aliasSchema });

export function addAliasRoutes(server: HttpServer, { db, clock }: { db: Database; clock: Clock }): void {
  server.get(
    '/api/models/:kind/aliases',
    {
      schema: {
        tags: TAGS,
        summary: 'Aliases of a kind: those that the rollouts keep, then those that people have set',
        params: params.pick({ kind: true }),
        response: { 200: modelAliasesSchema },
      },
    },
    async (req) => ({ aliases: await listAliases(db, req.params.kind) }),
  );
  server.put(
    '/api/models/:kind/aliases/:name',
    {
      schema: {
        tags: TAGS,
        summary: 'Let a name point to a version, from now on; it stands wherever a version is named',
        params,
        body: aliasRequestSchema,
        response: { 200: modelAliasSchema },
      },
    },
    (req) => {
      const { kind, name } = req.params;
      refuseKept(name);
      return db.transaction('reactor.alias.set', async (tx) => {
        const { version } = await mustFindVersion(tx, kind, req.body.version);
        const isNew = (await findOwnAlias(tx, kind, name)) === undefined;
        if (isNew && (await countOwnAliases(tx, kind)) >= OWN_ALIASES_MAX)
          throw new CodedError(
            'invalid_request',
            `${kind} has ${OWN_ALIASES_MAX} aliases, which is all it may have: remove one first`,
          );
        await setAlias(tx, { modelType: kind, alias: name, version, at: isoNow(clock) });
        return { model_type: kind, alias: name, version, kept: false };
      });
    },
  );
  server.delete(
    '/api/models/:kind/aliases/:name',
    {
      schema: {
        tags: TAGS,
        summary: 'Forget a name; the version stays',
        params,
        response: { 200: modelAliasesSchema },
      },
    },
    async (req) => {
      const { kind, name } = req.params;
      refuseKept(name);
      const removed = await db.transaction('reactor.alias.remove', (tx) => removeAlias(tx, kind, name));
      if (!removed) throw new CodedError('not_found', `${kind} has no alias ${name}`);
      return { aliases: await listAliases(db, kind) };
    },
  );
}

function refuseKept(name: string): void {
  if (isKeptAlias(name))
    throw new CodedError('alias_kept', `${name} follows the rollouts by itself: take another name`);
}
