/** Whether the disk below the data directory has room: keys, logs and, unless there is a URL, the database itself. */
import { type Check, type CheckFinding, passed } from '../check.ts';

const BYTES_PER_GIB = 1_073_741_824;
const FREE_RATIO_WARN = 0.1;
const FREE_RATIO_FAIL = 0.02;
/** A large disk has room at 2 % still. */
const FREE_GIB_ENOUGH = 10;

export const disk: Check = {
  id: 'check.storage.disk',
  title: 'The disk has room',
  why: 'a full disk stops the database, and with it every promotion',
  async look({ fileSystem, dataDir, about }) {
    const { bavail, blocks, bsize } = await fileSystem.statfs(dataDir);
    return judge({ freeBytes: bavail * bsize, totalBytes: blocks * bsize }, dataDir, about.isEmbedded);
  },
};

function judge(
  { freeBytes, totalBytes }: { readonly freeBytes: number; readonly totalBytes: number },
  dataDir: string,
  isEmbedded: boolean,
): CheckFinding {
  const freeGib = freeBytes / BYTES_PER_GIB;
  const share = totalBytes > 0 ? freeBytes / totalBytes : 0;
  const free = `${freeGib.toFixed(1)} GiB free, ${(share * 100).toFixed(0)} %`;
  const facts = [
    { what: dataDir, value: free },
    { what: 'database', value: isEmbedded ? 'on this disk' : 'elsewhere: its disk cannot be seen from here' },
  ];
  const isEnough = freeGib > FREE_GIB_ENOUGH;
  if (share >= FREE_RATIO_WARN || isEnough) return passed('it has room', facts);
  const remedy = { text: `make room below ${dataDir}, or move it to a larger disk`, command: null };
  return { status: share < FREE_RATIO_FAIL ? 'fail' : 'warn', message: `only ${free}`, facts, remedy };
}
