// How a request ended, in words and in classes. Pure.
import type { StatusTone } from '../base/palette';

export interface RequestEnd {
  status: number | null;
  grpcStatus: number | null;
  outcome: string | null;
}

/** Names of the status codes of gRPC (grpc/status.proto), by number. */
const grpcNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

export function grpcStatusName(code: number): string {
  return grpcNames[code] ?? `code ${code}`;
}

/** The class of a status; none where there was no answer. */
export function codeTone(status: number | null): StatusTone {
  if (status === null) return 'none';
  if (status >= 500) return 'server-error';
  if (status >= 400) return 'client-error';
  return status >= 300 || status < 200 ? 'redirect' : 'ok';
}

/** gRPC says what went wrong beside a status of 200; what broke off is an error whatever it said. */
export function statusTone({ status, grpcStatus, outcome }: RequestEnd): StatusTone {
  if (outcome === 'aborted') return 'server-error';
  const tone = codeTone(status);
  return tone === 'ok' && grpcStatus !== null && grpcStatus !== 0 ? 'server-error' : tone;
}

/** `404`, `NOT_FOUND`, `no answer`, `200, broken off`. gRPC's own status says more than its 200. */
export function statusText({ status, grpcStatus, outcome }: RequestEnd): string {
  const own = grpcStatus === null ? null : grpcStatusName(grpcStatus);
  const http = status === null || (own !== null && status === 200) ? null : String(status);
  const parts = [http, own, outcome === 'aborted' ? 'broken off' : null];
  const text = parts.filter((part) => part !== null).join(', ');
  return text === '' ? 'no answer' : text;
}
