/**
 * Components by the labels of their partitions, for the hosts on the Moddable runtime: the option of the agent, and what is in
 * use of each.
 * @module
 */
import type { Components } from "../../src/components/components.js";
import type {
  ComponentDefinition,
  ComponentsOptions,
  FirmwarePal,
  OpenComponent,
} from "../../src/components/options.js";
import type { Flash } from "../../src/ports.js";

export interface DeviceComponentDefinition extends Omit<ComponentDefinition, "places"> {
  /** Labels of its partitions. */
  readonly places: readonly string[];
}

export interface DeviceComponentsOptions
  extends Pick<
    ComponentsOptions,
    "attempts" | "live" | "statementType" | "allowLooseSets" | "allowDowngrade" | "onNotice"
  > {
  readonly components: readonly DeviceComponentDefinition[];
  /** Label of the partition of the record log. Default "components". */
  readonly log?: string;
  /** Label of the partition of journals. */
  readonly journal?: string;
}

/** What an agent gives the porting layer of components. */
export type ComponentsParts = Pick<ComponentsOptions, "boot" | "crypto" | "clock" | "trustedKeys">;

/** For the agent's option `components`; belongs to one agent. */
export class DeviceComponents {
  readonly #make: (options: ComponentsOptions) => Components;
  readonly #open: (label: string) => Flash;
  readonly #options: DeviceComponentsOptions;
  #pal: Components | undefined;

  constructor(
    make: (options: ComponentsOptions) => Components,
    open: (label: string) => Flash,
    options: DeviceComponentsOptions,
  ) {
    this.#make = make;
    this.#open = open;
    this.#options = options;
  }

  /** Called by `createOtaAgent`, once. @throws Error without a partition; RangeError, OtaError as `Components` */
  layer(firmware: FirmwarePal, parts: ComponentsParts): Components {
    if (this.#pal) throw new Error("components belong to one agent");
    const { components, log = "components", journal, ...rest } = this.#options;
    const opened = components.map(({ name, fileType, places, refetchable }) => ({
      ...{ name, fileType, refetchable },
      places: places.map((label) => this.#open(label)),
    }));
    this.#pal = this.#make({
      ...rest,
      ...parts,
      firmware,
      log: this.#open(log),
      journal: journal === undefined ? undefined : this.#open(journal),
      components: opened,
    });
    return this.#pal;
  }

  /**
   * The place in use of a component, read-only; on trial it is the new one. It stays what it is until the next restart, with
   * `live` until the next update.
   * @returns undefined before its first update
   * @throws Error before `createOtaAgent`; RangeError for a name that is not defined; OtaError "bad-image" when the place does
   * not hold a component
   */
  openComponent(name: string): OpenComponent | undefined {
    if (!this.#pal) throw new Error("openComponent: createOtaAgent comes first");
    return this.#pal.open(name);
  }
}
