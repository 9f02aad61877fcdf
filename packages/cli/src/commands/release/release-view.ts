/** One release, as `create` and `show` print it. */
import type { Answer } from '@stella/contract/client';
import { textView, type View } from '../../view.ts';
import { relativeTo } from '../show-age.ts';

export function releaseView(release: Answer<'getRelease'>): View {
  return textView({
    name: release.name,
    data: release,
    text: (nowMs) =>
      [
        `Release    ${release.name}  ${release.id}`,
        `Created    ${relativeTo(nowMs, release.createdAt)}`,
        ...release.components.flatMap(({ name, source, tag, digest }) => [
          `Component  ${name}  ${source}${tag === null ? '' : `:${tag}`}`,
          `           ${digest}`,
        ]),
      ].join('\n'),
  });
}
