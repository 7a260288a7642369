import { nodeCrypto } from "../../hosts/node/crypto.js";
import { cryptoConformance } from "../conformance/crypto.js";

cryptoConformance("crypto on Node", () => nodeCrypto);
