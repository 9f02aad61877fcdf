/** A port whose asynchronous methods each pass two fault points. Composed only where a test passes faults. */
import type { Faults } from '../ports/faults.ts';
import { PORT_FAULT_POINTS, type PortFaultPoint } from './fault-points.ts';

/** `'target.deploy.before'` → `'target'` */
type PortName = PortFaultPoint extends `${infer Name}.${string}` ? Name : never;

export function withFaults<Port extends object>(name: PortName, port: Port, faults: Faults): Port {
  return new Proxy(port, {
    get(_, key): unknown {
      const method: unknown = Reflect.get(port, key);
      const point = `${name}.${String(key)}`;
      if (typeof method !== 'function' || !isListed(point)) return method;
      return async (...given: unknown[]) => {
        await faults.hit(`${point}.before`);
        const answer: unknown = await Reflect.apply(method, port, given);
        await faults.hit(`${point}.after`);
        return answer;
      };
    },
  });
}

function isListed(point: string): boolean {
  return (PORT_FAULT_POINTS as readonly string[]).includes(`${point}.before`);
}
