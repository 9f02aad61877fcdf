/** The real file system. */
import { createReadStream, createWriteStream } from 'node:fs';
import * as promises from 'node:fs/promises';
import type { FileSystem } from '../ports/file-system.ts';

export const nodeFileSystem: FileSystem = { ...promises, createReadStream, createWriteStream };
