/** Artifacts are looked for once more right before the deploy. */
import { ATTEMPT_PURPOSES } from '@stella/domain';
import { among } from './among.ts';

export const preflightArtifacts = `
-- The new purpose of attempts.
alter table attempts drop constraint attempts_purpose_check;
alter table attempts add constraint attempts_purpose_check check (purpose in ${among(ATTEMPT_PURPOSES)});
`;
