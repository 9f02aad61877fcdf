import { tmpdir } from 'node:os';
import { makeLocalHost } from '../../src/system/local-host.ts';
import { describeFencedHost } from './fenced-host.contract.ts';

describeFencedHost('this machine and its sh', () => Promise.resolve(makeLocalHost({ home: tmpdir() })));
