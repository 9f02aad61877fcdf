import { expect, it } from 'vitest';
import type { CommandContext } from '../../command.ts';
import { deploy } from '../deploy.ts';
import { rollbackStart } from '../rollback/start.ts';
import { promotionCreate } from './create.ts';
import { promotionRetry } from './retry.ts';

it.each([promotionCreate, promotionRetry, rollbackStart, deploy])(
  'bug: refuses a wrong --wait before it asks anything of a server ($path)',
  async ({ run }) => {
    const asked: string[] = [];
    const context: Pick<CommandContext, 'connect' | 'globals'> = {
      globals: { isDryRun: false, isQuiet: false } as CommandContext['globals'],
      connect: () => {
        asked.push('connect');
        return Promise.reject(new Error('asked'));
      },
    };
    const options = { release: 'shop-1', to: 'prod', env: 'prod', artifact: 'sha256:1', anew: true, wait: '5x' };
    await expect(run(context as CommandContext, { positionals: ['prm_1'], options })).rejects.toMatchObject({
      code: 'input.duration',
    });
    expect(asked).toEqual([]);
  },
);
