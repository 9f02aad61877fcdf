/** One verb of a `files` target in its own process, which dies by SIGKILL, or is paused, at the nth hit of a fault point. */
import type { Fence, ReleaseComponent } from '@stella/domain';
import { call, openTarget } from '../contract/files-target-fixture.ts';

export interface ChildOrder {
  readonly root: string;
  readonly directory: string;
  readonly layout: string;
  readonly verb: 'deploy' | 'seal';
  readonly fence: Fence;
  readonly operationId: string;
  readonly component: ReleaseComponent;
  readonly keepCount: number;
  readonly point: string;
  readonly hit: number;
  /** Standard: SIGKILL. */
  readonly signal?: 'SIGKILL' | 'SIGSTOP';
}

// Written by the test, which has the same type.
const order = JSON.parse(process.argv[2] ?? '{}') as ChildOrder;
let hitCount = 0;
const target = openTarget(order, {
  definition: { keepCount: order.keepCount },
  faults: {
    hit: (point) => {
      if (point !== order.point) return;
      hitCount += 1;
      if (hitCount === order.hit) process.kill(process.pid, order.signal ?? 'SIGKILL');
    },
  },
});
const { verb, fence, operationId, component } = order;
const answer = await (verb === 'seal'
  ? target.seal(call(), fence)
  : target.deploy(call(), fence, operationId, component));
process.stdout.write(JSON.stringify(answer));
