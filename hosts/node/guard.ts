/**
 * A life that can end at any moment: callbacks that go through a guard come to nothing once it has ended, and
 * an exception that leaves one ends the life instead of the process.
 * @module
 */
import type { Clock, MqttConnection, MqttObserver, MqttSubscription } from "../../src/ports.js";

export class Guard {
  #over = false;
  readonly #onCrash: (error: Error) => void;

  constructor(onCrash: (error: Error) => void) {
    this.#onCrash = onCrash;
  }

  get over(): boolean {
    return this.#over;
  }

  end(): void {
    this.#over = true;
  }

  run(action: () => void): void {
    if (this.#over) return;
    try {
      action();
    } catch (error) {
      if (this.#over) return;
      this.#over = true;
      this.#onCrash(error as Error);
    }
  }
}

export class GuardedClock implements Clock {
  readonly #clock: Clock;
  readonly #guard: Guard;
  readonly #timers = new Set<unknown>();

  constructor(clock: Clock, guard: Guard) {
    this.#clock = clock;
    this.#guard = guard;
  }
  now(): number {
    return this.#clock.now();
  }
  set(callback: () => void, ms: number): unknown {
    const timer = this.#clock.set(() => {
      this.#timers.delete(timer);
      this.#guard.run(callback);
    }, ms);
    this.#timers.add(timer);
    return timer;
  }
  clear(timer: unknown): void {
    this.#timers.delete(timer);
    this.#clock.clear(timer);
  }
  /** Clears every timer, so that none keeps the process alive. */
  clearAll(): void {
    for (const timer of [...this.#timers]) this.clear(timer);
  }
}

export class GuardedMqtt implements MqttConnection {
  readonly #mqtt: MqttConnection;
  readonly #guard: Guard;
  readonly #observers = new Map<MqttObserver, MqttObserver>();
  readonly #subscriptions = new Map<MqttSubscription, MqttSubscription>();

  constructor(mqtt: MqttConnection, guard: Guard) {
    this.#mqtt = mqtt;
    this.#guard = guard;
  }

  get connected(): boolean {
    return this.#mqtt.connected;
  }

  publish(topic: string, payload: Uint8Array, qos: 0 | 1, done?: (error?: Error) => void): void {
    if (!this.#guard.over) this.#mqtt.publish(topic, payload, qos, this.#guarded(done));
  }

  subscribe(subscription: MqttSubscription, done?: (error?: Error) => void): void {
    const { filter, qos } = subscription;
    const guarded: MqttSubscription = {
      ...{ filter, qos },
      message: (topic, payload) => this.#guard.run(() => subscription.message(topic, payload)),
    };
    if (subscription.buffer)
      guarded.buffer = (topic, length) => {
        let buffer: Uint8Array | undefined;
        this.#guard.run(() => {
          buffer = subscription.buffer?.(topic, length);
        });
        return buffer;
      };
    this.#subscriptions.set(subscription, guarded);
    this.#mqtt.subscribe(guarded, this.#guarded(done));
  }

  unsubscribe(subscription: MqttSubscription): void {
    const guarded = this.#subscriptions.get(subscription);
    this.#subscriptions.delete(subscription);
    if (guarded) this.#mqtt.unsubscribe(guarded);
  }

  addObserver(observer: MqttObserver): void {
    const guarded = {
      online: () => this.#guard.run(() => observer.online()),
      offline: () => this.#guard.run(() => observer.offline()),
    };
    this.#observers.set(observer, guarded);
    this.#mqtt.addObserver(guarded);
  }

  removeObserver(observer: MqttObserver): void {
    const guarded = this.#observers.get(observer);
    this.#observers.delete(observer);
    if (guarded) this.#mqtt.removeObserver(guarded);
  }

  #guarded(done?: (error?: Error) => void): ((error?: Error) => void) | undefined {
    return done && ((error) => this.#guard.run(() => done(error)));
  }
}
