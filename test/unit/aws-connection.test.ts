import { awsOptions } from "../../hosts/moddable/aws-options.js";
import { VersionReport } from "../../hosts/mqtt/version-report.js";
import { deepEqual, equal, ok } from "../support/assert.js";
import { image, World } from "../support/world.js";

const rootCertificate = new Uint8Array([1]);
const certificate = new Uint8Array([2]);
const key = new Uint8Array([3]);
const REQUIRED = {
  endpoint: "abc-ats.iot.eu-west-1.amazonaws.com",
  thingName: "board-1",
  rootCertificate,
  certificate,
  key,
};

const problem = (change: object): string => {
  try {
    awsOptions({ ...REQUIRED, ...change });
    return "";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("a connection to AWS IoT Core", () => {
  it("goes to port 8883 under the thing's name, with the device's certificate and the server's name", () => {
    const { host, port, clientId, keepAlive, tls } = awsOptions(REQUIRED);
    deepEqual([host, port, clientId, keepAlive], [REQUIRED.endpoint, 8883, "board-1", 60_000]);
    deepEqual(
      [tls?.certificate, tls?.clientCertificates, tls?.clientKey],
      [rootCertificate, [certificate], key],
    );
    equal(tls?.serverName, REQUIRED.endpoint);
    equal("applicationLayerProtocolNegotiation" in (tls as object), false, "ALPN means nothing on 8883");
  });

  it("goes to port 443 by ALPN", () => {
    const { port, tls } = awsOptions({ ...REQUIRED, port: 443 });
    equal(port, 443);
    deepEqual(tls?.applicationLayerProtocolNegotiation, ["x-amzn-mqtt-ca"]);
  });

  it("asks for the key at each connection when it lies elsewhere", () => {
    let asked = 0;
    const { tls } = awsOptions({ ...REQUIRED, key: () => [++asked] });
    equal(asked, 0);
    for (const expected of [1, 2]) deepEqual({ ...tls }.clientKey, [expected]);
  });

  for (const [change, word] of [
    [{ endpoint: "https://abc-ats.iot.eu-west-1.amazonaws.com" }, "endpoint"],
    [{ endpoint: "abc-ats.iot.eu-west-1.amazonaws.com:8883" }, "endpoint"],
    [{ endpoint: "" }, "endpoint"],
    [{ thingName: "a b" }, "thingName"],
    [{ thingName: "x".repeat(129) }, "thingName"],
    [{ port: 1883 }, "port"],
    [{ keepAlive: 20_000 }, "keepAlive"],
    [{ keepAlive: 1_200_001 }, "keepAlive"],
    [{ key: undefined }, "key is missing"],
    [{ certificate: undefined }, "certificate is missing"],
    [{ rootCertificate: undefined }, "rootCertificate is missing"],
  ] as const)
    it(`refuses ${JSON.stringify(change)}, naming it`, () => {
      ok(problem(change).startsWith(word), problem(change));
    });
});

const TOPIC = "shadow/update";
const PACKAGE_TOPIC = "shadow/name/$package/update";
const versionOf = ({ state }: { state: { reported: { firmware: { version: string; state: string } } } }) => {
  const { version, state: imageState } = state.reported.firmware;
  return `${version} ${imageState}`;
};

describe("what runs, as the agent reports it", () => {
  it("is told before the first update, on trial, and when it was accepted; a connection that comes back tells nothing", () => {
    const world = new World({ agent: { versionReport: new VersionReport() } });
    const heard = world.listen(TOPIC);
    world.powerOn().run(5000);
    deepEqual(heard.map(versionOf), ["1.0.0 valid"]);
    const { firmware } = heard[0].state.reported;
    deepEqual([firmware.project, firmware.chip, /^[\da-f]{8}$/.test(firmware.build)], ["world", 5, true]);
    world.mqtt.disconnect();
    world.run(1000);
    world.mqtt.reconnect();
    world.run(5000);
    equal(heard.length, 1, "it was said twice");
    world.ended(world.deploy(image("2.0.0")));
    world.run(5000);
    deepEqual(heard.map(versionOf), ["1.0.0 valid", "2.0.0 pending-commit", "2.0.0 valid"]);
  });

  it("goes into the reserved shadow of packages, too, in characters AWS takes", () => {
    const versionReport = new VersionReport({ package: "my-app" });
    const world = new World({ image: image("1.0.0+git~5"), agent: { versionReport } });
    const heard = world.listen(PACKAGE_TOPIC);
    world.powerOn().run(5000);
    const { version, attributes } = heard[0].state.reported["my-app"];
    equal(version, "1.0.0_git_5");
    equal(attributes.state, "valid");
  });

  it("is said again until it is acknowledged", () => {
    const world = new World({ agent: { versionReport: new VersionReport() }, link: { rtt: 40 } });
    const heard = world.listen(TOPIC);
    world.powerOn();
    // It arrives; the connection breaks before the acknowledgement is back.
    world.run(30);
    equal(heard.length, 1);
    world.mqtt.disconnect();
    world.run(1000);
    world.mqtt.reconnect();
    world.run(5000);
    deepEqual(heard.map(versionOf), ["1.0.0 valid", "1.0.0 valid"]);
  });

  it("refuses a name of a package that AWS refuses", () => {
    let message = "";
    try {
      new VersionReport({ package: "my app" });
    } catch (error) {
      message = (error as Error).message;
    }
    ok(message.startsWith("package must have"), message);
  });
});
