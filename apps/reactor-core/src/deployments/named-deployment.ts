// A deployment by its id, which has to be there.
import { CodedError } from '@jarvis/contracts';
import type { Reader } from '@jarvis/store';
import { type DeploymentRow, findDeployment } from '../store/deployments.ts';

/** @throws {CodedError} `not_found` */
export async function mustFindDeployment(from: Reader, id: string): Promise<DeploymentRow> {
  const row = await findDeployment(from, id);
  if (row === undefined) throw new CodedError('not_found', `there is no deployment ${id}`);
  return row;
}
