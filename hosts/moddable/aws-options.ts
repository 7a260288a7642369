/**
 * What AWS IoT Core asks of a connection: name of the server, port, protocol, and how long a device may be silent. Pure.
 * Sources: AWS IoT Core developer guide, "Device communication protocols" (ports 8883 and 443, ALPN, SNI) and "Message broker
 * and protocol limits" (keep-alive 30 to 1,200 s, client id 128 bytes).
 * @module
 */
import { checkPair } from "./key-pair.js";
import type { ConnectOptions } from "./mqtt.js";
import type { TlsOptions } from "./network.js";

export interface AwsOptions extends Pick<ConnectOptions, "keepAlive" | "will" | "Client" | "tuning" | "log"> {
  /** `aws iot describe-endpoint --endpoint-type iot:Data-ATS`: a host, without protocol and port. */
  readonly endpoint: string;
  /** Name of the thing; the client id as well, as the policy in docs/aws.md wants it. */
  readonly thingName: string;
  /** Amazon Root CA 1, DER. */
  readonly rootCertificate: TlsOptions["certificate"];
  /** Certificate of the device, DER. */
  readonly certificate: unknown;
  /** Its private key, PKCS #8 in DER, RSA; or a function that is asked for it at each connection, so that it is nowhere between. */
  readonly key: unknown;
  /** 8883, or 443 where nothing else leaves the network (ALPN `x-amzn-mqtt-ca`). Default 8883. */
  readonly port?: 8883 | 443;
}

/** @throws TypeError, RangeError naming the option that AWS would refuse; TypeError for a key that is not the certificate's */
export function awsOptions(options: AwsOptions): ConnectOptions {
  const { endpoint, thingName, rootCertificate, certificate, key, port = 8883, keepAlive = 60_000 } = options;
  if (!/^[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d]([a-z\d-]*[a-z\d])?)+$/i.test(endpoint))
    throw new RangeError(`endpoint: "${endpoint}" is no host name`);
  if (!/^[\w:-]{1,128}$/.test(thingName))
    throw new RangeError("thingName must have 1 to 128 characters of a-z A-Z 0-9 : _ -");
  if (port !== 8883 && port !== 443) throw new RangeError("port must be 8883 or 443");
  if (!(keepAlive >= 30_000 && keepAlive <= 1_200_000))
    throw new RangeError("keepAlive must be 30000 to 1200000 ms");
  for (const [name, value] of Object.entries({ rootCertificate, certificate, key }))
    if (!value) throw new TypeError(`${name} is missing`);
  checkPair(certificate, key);
  const { will, Client, tuning, log } = options;
  return {
    ...{ host: endpoint, port, clientId: thingName, keepAlive, will, Client, tuning, log },
    tls: {
      certificate: rootCertificate,
      clientCertificates: [certificate],
      // The SDK's socket copies these options whenever it connects.
      get clientKey() {
        return typeof key === "function" ? key() : key;
      },
      serverName: endpoint,
      ...(port === 443 ? { applicationLayerProtocolNegotiation: ["x-amzn-mqtt-ca"] } : {}),
    },
  };
}
