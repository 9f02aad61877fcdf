/** This program's version; the same in every package of a release. */
export const VERSION = '0.1.0';
