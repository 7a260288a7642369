export interface SocketRow {
  who: string;
  rtt: number;
  loss: number;
  seconds: number;
  original: number;
  requests: number;
  upBytes: number;
  downBytes: number;
}
export async function sockets(_log: (text: string) => void): Promise<SocketRow[]> {
  return [];
}
