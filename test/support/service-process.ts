/**
 * The development service as a process that a test may kill: `service-process.ts DIRECTORY` keeps its state in
 * DIRECTORY. Standard input: one JSON object a line, `{"deploy": options}` (the image in base64). Standard
 * output: `{"url": …, "httpOrigin": …}` first, then `{"jobId": …}` for each deployment.
 * @module
 */
import { createInterface } from "node:readline";
import { DevelopmentService } from "../../service/index.js";

// The tests' clients connect faster than AWS would let one client.
const service = await DevelopmentService.start({ state: process.argv[2], listen: { connectInterval: 0 } });
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
say({ url: service.url, httpOrigin: service.httpOrigin });
for await (const line of createInterface({ input: process.stdin })) {
  const { deploy } = JSON.parse(line);
  const image = Buffer.from(deploy.image, "base64");
  say({ jobId: service.deploy({ ...deploy, image }).jobId });
}
await service.close();
