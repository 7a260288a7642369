/** An application whose agent runs in a machine of its own. */
import Worker from "worker";

export default function () {
  const agent = new Worker("agent", {
    chunk: { initial: 262_144, incremental: 65_536 },
    heap: { initial: 16_384, incremental: 4_096 },
    stack: 1_024,
  });
  agent.onmessage = (message) => trace(`application: the agent is ${message}\n`);
}
