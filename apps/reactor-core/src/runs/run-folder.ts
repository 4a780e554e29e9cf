// The files of a job and its attempts, as docs/trainer-protocol.md has them:
//   <runs>/<job_id>/dataset.ndjson
//   <runs>/<job_id>/checkpoints/                    shared by the attempts
//   <runs>/<job_id>/gate/                           while the offline gate scores its version
//   <runs>/<job_id>/attempt-<n>/{job.json, owner.json, events.ndjson, output.log, heartbeat, artifact/}
import { join } from 'node:path';
import type { RunKey } from '../store/runs.ts';

export interface AttemptFiles {
  readonly folder: string;
  readonly job: string;
  readonly owner: string;
  readonly events: string;
  readonly output: string;
  readonly heartbeat: string;
  readonly artifact: string;
}

export class RunFolder {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  job(jobId: string): string {
    return join(this.root, jobId);
  }

  dataset(jobId: string): string {
    return join(this.root, jobId, 'dataset.ndjson');
  }

  checkpoints(jobId: string): string {
    return join(this.root, jobId, 'checkpoints');
  }

  attempt(key: RunKey): AttemptFiles {
    const folder = join(this.root, key.job_id, `attempt-${key.attempt}`);
    return {
      folder,
      job: join(folder, 'job.json'),
      owner: join(folder, 'owner.json'),
      events: join(folder, 'events.ndjson'),
      output: join(folder, 'output.log'),
      heartbeat: join(folder, 'heartbeat'),
      artifact: join(folder, 'artifact'),
    };
  }
}
