/** Which addresses may be connected to; one rule for every way out. */
import { BlockList, isIP } from 'node:net';
import { AppError } from '@stella/domain';

export type AddressCheck = (address: string) => boolean;

/** `null`: every address. Throws `config.invalid` for a range that is none. */
export function makeAddressCheck(ranges: readonly string[] | null): AddressCheck {
  if (ranges === null) return () => true;
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = isIP(address);
    const bits = Number(prefix ?? (family === 6 ? 128 : 32));
    if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32)) {
      throw new AppError('config.invalid', {
        details: { name: 'STELLA_OUTGOING_ALLOW', message: `"${range}" is not an address range such as 10.0.0.0/8` },
      });
    }
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
