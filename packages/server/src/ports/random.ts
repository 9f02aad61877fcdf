/** Randomness as the server sees it: cryptographically strong in production, seeded in simulations. */
export interface Random {
  bytes(count: number): Uint8Array;
}
