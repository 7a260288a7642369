/**
 * The agent as products use it: with AWS IoT Jobs as its fleet service, unless it is given another one.
 * @module
 */
import { Agent } from "./agent.js";
import { Jobs } from "./control/jobs.js";
import type { OtaAgentOptions } from "./options.js";

export class OtaAgent extends Agent {
  /**
   * @throws TypeError naming an option that is missing or of the wrong type
   * @throws RangeError naming an option that is out of range
   */
  constructor(options: OtaAgentOptions) {
    super(options, (checked, tell) => new Jobs(checked, tell));
  }
}
