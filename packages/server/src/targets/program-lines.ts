/** What a program of a host says, line by line. */
import type { Duplex } from 'node:stream';

/**
 * The text before the first line break; what comes after it stays in the stream. Without a line break within `bytesMax`, or
 * before the end, what there is.
 */
export async function readLine(stream: Duplex, bytesMax: number): Promise<string> {
  let text = Buffer.alloc(0);
  // Until a line, the end, or too much of what is no line.
  for (;;) {
    const chunk: unknown = stream.read();
    if (Buffer.isBuffer(chunk)) {
      text = Buffer.concat([text, chunk]);
      const end = text.indexOf('\n');
      if (end !== -1) {
        if (end + 1 < text.length) stream.unshift(text.subarray(end + 1));
        return text.toString('utf8', 0, end);
      }
      if (text.length > bytesMax) return text.toString('utf8', 0, bytesMax);
      continue;
    }
    if (stream.readableEnded || stream.destroyed) return text.toString('utf8');
    await new Promise<void>((resolve) => {
      const go = (): void => {
        for (const event of ['readable', 'end', 'close']) stream.off(event, go);
        resolve();
      };
      for (const event of ['readable', 'end', 'close']) stream.on(event, go);
    });
  }
}
