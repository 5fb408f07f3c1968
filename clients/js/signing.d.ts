export interface SignOptions {
  /** Name of the signing key. */
  kid: string;
  /** Its secret, in hexadecimal digits. */
  secret: string;
  /** Seconds for which the URL is valid at least; left out: for ever. */
  expires?: number;
  /** Seconds to whose next multiple the moment is rounded up; 3600 if left out. */
  grid?: number;
  /** Variables of the query's preset that may be changed afterwards. */
  free?: readonly string[];
  /** The path below which a proxy serves the gateway. */
  prefix?: string;
  /** The present, in seconds since 1970. */
  now?: number;
}

export interface Signable {
  message: string;
  query: string;
  text: string;
  kid: string;
  exp: number | undefined;
  free: readonly string[];
  sig: string | undefined;
}

export class SignatureFault extends Error {
  fault: "too_long" | "path" | "encoding" | "sig" | "kid" | "exp" | "expired" | "free";
}

export function sign(url: string, options: SignOptions): string;
export function verify(
  path: string,
  query: string,
  secrets: Readonly<Record<string, string>>,
  now?: number,
): string;
export function read(path: string, query: string): Signable;
export function signatureOf(message: string, secret: Buffer): string;
