/**
 * Says that a pre-signed URL has expired, as Amazon S3 does; a URL signed later is a good one.
 * @module
 */
import { type Misbehaviour, partial } from "./fault-server.js";

const BODY =
  '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>';

/** @param valid whether a URL is still, or again, accepted */
export function expired(valid: (target: string) => boolean): Misbehaviour {
  return ({ response, target, first, last, image, body }) => {
    if (valid(target)) partial(response, first, last, image.length, body.length).end(body);
    else response.writeHead(403, { "Content-Type": "application/xml" }).end(BODY);
  };
}
