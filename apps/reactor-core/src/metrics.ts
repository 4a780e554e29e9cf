// The gauges of Reactor Core, read when somebody scrapes.
import type { Meter } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { countDeployments, countRuns, readBadLines } from './store/metrics.ts';
import { countVersions, listChampions } from './store/versions.ts';

export function addReactorMetrics(meter: Meter, db: Database): void {
  meter.read(async (put) => {
    for (const { kind, state, runs } of await countRuns(db)) put('jarvis_runs', { kind, state }, runs);
    for (const { kind, lines } of await readBadLines(db))
      put('jarvis_trainer_bad_lines_total', { kind }, lines);
  });
  meter.read(async (put) => {
    for (const { model_type: kind, versions } of await countVersions(db))
      put('jarvis_versions', { kind }, versions);
    for (const { kind, state, deployments } of await countDeployments(db))
      put('jarvis_deployments', { kind, state }, deployments);
    for (const { model_type: kind, version } of await listChampions(db))
      put('jarvis_champion_info', { kind, version }, 1);
  });
}
