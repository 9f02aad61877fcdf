/** Looks a name up and hands on only allowed addresses, at the moment of connecting: for every way out. */
import type { lookup as dnsLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { HttpFailure } from '../ports/http-client.ts';
import type { AddressCheck } from './address-check.ts';

/** None left is an error that names one of the others. */
export function checkedLookup(isAllowed: AddressCheck, lookUp: typeof dnsLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, found) => {
      if (error) {
        callback(error, '', 0);
        return;
      }
      const allowed = found.filter((one) => isAllowed(one.address));
      const [first] = allowed;
      if (!first) {
        callback(forbidden(found[0]?.address ?? hostname), '', 0);
        return;
      }
      if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

export function forbidden(address: string): HttpFailure & NodeJS.ErrnoException {
  return new HttpFailure('address_forbidden', `the address ${address} is not in the allowed ranges`);
}
