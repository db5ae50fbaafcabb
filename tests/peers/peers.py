"""Other implementations as peers of hsm-sim: psec, pyemv and pydukpt.

    peers.py make SEED COUNT     prints vectors that they compute, COUNT of each family
    peers.py verify FILE         checks with them vectors that hsm-sim made

Vectors have the form that `hsm-sim check-vectors` reads. Everything is drawn from the seed; keys are random
test keys. Left out, because these peers do not have them: format 1, UnionPay MACs, AES DUKPT, purses. psec's
Visa PVV takes PINs of four digits, and its PIN blocks card numbers of thirteen digits or more.
"""

import json
import random
import sys

import psec
import pydukpt
from Crypto.Cipher import AES
from Crypto.Hash import CMAC
from psec import des as psec_des
from psec import pinblock
from pyemv import ac, kd

TABLE = "0123456789012345"


def upper(data):
    return bytes(data).hex().upper()


class Recorder:
    """Stands in for psec's sources of randomness: seeded, and the last drawing is kept."""

    def __init__(self, draws):
        self.draws = draws
        self.last = b""

    def choice(self, letters):
        return self.draws.choice(letters)

    def urandom(self, length):
        self.last = self.draws.randbytes(length)
        return self.last


class Maker:
    """Draws inputs and lets the peers compute what is expected."""

    def __init__(self, seed):
        self.draws = random.Random(seed)
        self.recorder = Recorder(self.draws)
        pinblock._secrets = self.recorder
        pinblock._urandom = self.recorder.urandom

    def des_key(self, length=16):
        """Odd parity and different halves; weak keys come once in 2**50 draws."""
        key = bytes(b ^ (1 ^ bin(b).count("1") & 1) for b in self.draws.randbytes(length))
        return key if key[:8] != key[8:] else self.des_key(length)

    def aes_key(self):
        return self.draws.randbytes(self.draws.choice([16, 24, 32]))

    def digits(self, least, most):
        return "".join(self.draws.choices("0123456789", k=self.draws.randint(least, most)))

    def pin(self):
        return self.digits(4, 12)

    def pan(self, most=19):
        """Thirteen digits or more, with a right check digit."""
        body = self.digits(12, most - 1)
        values = (int(d) * 2 if i % 2 == 0 else int(d) for i, d in enumerate(reversed(body)))
        return body + str(-sum(v - 9 if v > 9 else v for v in values) % 10)

    def data(self, most=300):
        return self.draws.randbytes(self.draws.randint(1, most))

    # PIN blocks.

    def pinblock_iso0(self):
        pin, pan, key = self.pin(), self.pan(), self.des_key()
        clear = pinblock.encode_pinblock_iso_0(pin, pan)
        return (
            {"pin": pin, "pan": pan, "zpk": upper(key)},
            {"clear": upper(clear), "encrypted": upper(psec_des.encrypt_tdes_ecb(key, clear))},
        )

    def pinblock_iso2(self):
        pin = self.pin()
        return {"pin": pin}, {"clear": upper(pinblock.encode_pinblock_iso_2(pin))}

    def pinblock_iso3(self):
        pin, pan, key = self.pin(), self.pan(), self.des_key()
        clear = pinblock.encode_pinblock_iso_3(pin, pan)
        return (
            {"pin": pin, "pan": pan, "fill": letters(clear, pin, pan), "zpk": upper(key)},
            {"clear": upper(clear), "encrypted": upper(psec_des.encrypt_tdes_ecb(key, clear))},
        )

    def pinblock_iso4(self):
        pin, pan, key = self.pin(), self.pan(), self.aes_key()
        block = pinblock.encipher_pinblock_iso_4(key, pin, pan)
        drawn = self.recorder.last
        inputs = {"aes_key": upper(key), "pin": pin, "pan": pan, "random8": upper(drawn)}
        return inputs, {
            "pan_field": upper(pinblock.encode_pan_field_iso_4(pan)),
            "encrypted": upper(block),
        }

    def pin_translate(self):
        pin, pan, to_key = self.pin(), self.pan(), self.des_key()
        source, target = self.draws.choice(["ISO0", "ISO3", "ISO4"]), self.draws.choice(["ISO0", "ISO3"])
        if source == "ISO4":
            key = self.aes_key()
            block = pinblock.encipher_pinblock_iso_4(key, pin, pan)
        else:
            key = self.des_key()
            block = psec_des.encrypt_tdes_ecb(key, triple_des_block(source, pin, pan))
        clear = triple_des_block(target, pin, pan)
        inputs = {
            "source_zpk": upper(key),
            "source_block": upper(block),
            "source_format": source,
            "pan": pan,
            "dest_zpk": upper(to_key),
            "dest_format": target,
        }
        if target == "ISO3":
            inputs["dest_fill"] = letters(clear, pin, pan)
        return inputs, {"dest_block": upper(psec_des.encrypt_tdes_ecb(to_key, clear))}

    # PIN verification and card values.

    def ibm3624(self):
        table = self.table()
        key, pan, pin = self.des_key(), self.pan(), self.pin()
        length = self.draws.randint(4, min(16, len(pan)))
        start, pad = self.draws.randint(0, len(pan) - length), self.draws.choice("0123456789ABCDEF")
        natural = psec.pin.generate_ibm3624_pin(key, table, "0" * len(pin), pan, start, length, pad)
        offset = psec.pin.generate_ibm3624_offset(key, table, pin, pan, start, length, pad)
        return (
            {
                "pvk": upper(key),
                "decimalisation_table": table,
                "pan": pan,
                "validation_data": pan[start : start + length].ljust(16, pad),
                "pin": pin,
            },
            {"natural_pin": natural, "offset": offset},
        )

    def table(self):
        """The usual one every other time, else one that is not weak."""
        if self.draws.random() < 0.5:
            return TABLE
        while True:
            table = "".join(self.draws.choices("0123456789", k=16))
            if len(set(table)) >= 8 and max(map(table.count, table)) <= 4:
                return table

    def visa_pvv(self):
        key, index, pin, pan = self.des_key(), self.digits(1, 1), self.digits(4, 4), self.pan()
        pvv = psec.pin.generate_visa_pvv(key, index, pin, pan)
        return {"pvk": upper(key), "pvki": index, "pin": pin, "pan": pan}, {"pvv": pvv}

    def cvv(self):
        key, pan, expiry, service = self.des_key(), self.pan(), self.digits(4, 4), self.digits(3, 3)
        value = psec.cvv.generate_cvv(key, pan, expiry, service)
        return {"cvk": upper(key), "pan": pan, "expiry": expiry, "service_code": service}, {"cvv": value}

    # MACs.

    def cbc_mac(self, length):
        key, data, padding = self.des_key(length), self.data(), self.draws.choice([1, 2])
        mac = psec.mac.generate_cbc_mac(key, data, padding, 8)
        return {"key": upper(key), "data_hex": upper(data), "padding": padding}, {"mac8": upper(mac)}

    def mac_alg1_des(self):
        return self.cbc_mac(8)

    def mac_alg1_tdes(self):
        return self.cbc_mac(16)

    def mac_alg3(self):
        key, data, padding = self.des_key(), self.data(), self.draws.choice([1, 2])
        mac = psec.mac.generate_retail_mac(key[:8], key[8:], data, padding, 8)
        return {"key": upper(key), "data_hex": upper(data), "padding": padding}, {"mac8": upper(mac)}

    def cmac_aes(self):
        key, data = self.aes_key(), self.data()
        mac = CMAC.new(key, data, ciphermod=AES).digest()
        return {"key": upper(key), "data_hex": upper(data)}, {"mac16": upper(mac)}

    # Key blocks.

    def tr31_unwrap(self):
        version, lengths = self.draws.choice([("B", [16, 24]), ("D", [16, 24, 32])])
        kbpk, length = self.draws.randbytes(self.draws.choice(lengths)), self.draws.choice([8, 16, 24])
        usage, algorithm, mode = self.draws.choice(
            [("P0", "T", "B"), ("M3", "T", "C"), ("B0", "T", "X"), ("M1", "D", "C"), ("K1", "A", "B")]
        )
        if algorithm == "A":
            length = self.draws.choice([16, 24, 32])
        key, exportability = self.draws.randbytes(length), self.draws.choice("ENS")
        header = psec.tr31.Header(version, usage, algorithm, mode, self.digits(2, 2), exportability)
        if self.draws.random() < 0.5:
            header.blocks["KS"] = upper(self.draws.randbytes(10))
        if self.draws.random() < 0.5:
            header.blocks["LB"] = self.digits(1, 40)
        return (
            {"kbpk": upper(kbpk), "key_block": psec.tr31.wrap(kbpk, header, key)},
            {
                "version": version,
                "key_usage": usage,
                "algorithm": algorithm,
                "mode_of_use": mode,
                "exportability": exportability,
                "key": upper(key),
            },
        )

    def tr31_reject(self):
        """A header character changed to another that is allowed in its place."""
        inputs, _ = self.tr31_unwrap()
        block = inputs["key_block"]
        place = self.draws.choice([5, 6, 7, 8, 9, 10])
        other = self.draws.choice([c for c in "0123456789ABCDEFTX" if c != block[place]])
        inputs["key_block"] = block[:place] + other + block[place + 1 :]
        try:
            psec.tr31.unwrap(bytes.fromhex(inputs["kbpk"]), inputs["key_block"])
        except psec.tr31.KeyBlockError as error:
            # psec reads the header first and refuses some headers for what they say.
            if "MAC" in str(error):
                return inputs, {"error": "MAC mismatch"}
        return self.tr31_reject()

    # Chips.

    def card(self):
        imk, pan, psn = self.des_key(), self.pan(16), self.digits(2, 2)
        return imk, pan, psn, self.draws.randbytes(2)

    def emv_icc_mk_a(self):
        imk, pan, psn, _ = self.card()
        return {"imk": upper(imk), "pan": pan, "psn": psn}, {"icc_mk": upper(kd.derive_icc_mk_a(imk, pan, psn))}

    def emv_common_sk(self):
        key, atc = self.des_key(), self.draws.randbytes(2)
        session = kd.derive_common_sk(key, atc + bytes(6))
        return {"icc_mk": upper(key), "atc": upper(atc)}, {"session_key": upper(session)}

    def emv_cvn10(self):
        imk, pan, psn, atc = self.card()
        data, response = self.data(60), self.digits(2, 2).encode()
        key = kd.derive_icc_mk_a(imk, pan, psn)
        arqc = ac.generate_ac(key, data, ac.PaddingType.VISA)
        inputs = {"imk": upper(imk), "pan": pan, "psn": psn, "atc": upper(atc)}
        return (
            inputs | {"data": upper(data), "arc": upper(response)},
            {"arqc": upper(arqc), "arpc": upper(ac.generate_arpc_1(key, arqc, response))},
        )

    def emv_cvn18(self):
        imk, pan, psn, atc = self.card()
        data, status = self.data(60), self.draws.randbytes(4)
        key = kd.derive_common_sk(kd.derive_icc_mk_a(imk, pan, psn), atc + bytes(6))
        arqc = ac.generate_ac(key, data, ac.PaddingType.EMV)
        inputs = {"imk": upper(imk), "pan": pan, "psn": psn, "atc": upper(atc)}
        return (
            inputs | {"data": upper(data), "csu": upper(status)},
            {
                "session_key": upper(key),
                "arqc": upper(arqc),
                "arpc": upper(ac.generate_arpc_2(key, arqc, status)),
            },
        )

    # DUKPT.

    def dukpt_tdes(self):
        bdk, pan, pin, data = self.des_key(), self.pan(), self.pin(), self.digits(1, 60)
        ones = self.draws.sample(range(21), self.draws.randint(1, 10))
        ksn = pydukpt.ksn_with_counter(self.draws.randbytes(10), sum(1 << bit for bit in ones))
        initial = pydukpt.derive_ipek(bdk, ksn)
        key = pydukpt.derive_key(initial, ksn)
        mac_key = pydukpt.mac_request_key(key)
        mac = psec.mac.generate_retail_mac(mac_key[:8], mac_key[8:], data.encode(), 1, 8)
        return (
            {"bdk": upper(bdk), "ksn": upper(ksn), "pin": pin, "pan": pan, "mac_data_ascii": data},
            {
                "ipek": upper(initial),
                "transaction_key": upper(key),
                "pin_key": upper(pydukpt.pin_key(key)),
                "mac_request_key": upper(mac_key),
                "mac_response_key": upper(pydukpt.mac_response_key(key)),
                "data_request_key": upper(pydukpt.data_request_key(key)),
                "pin_block_iso0": upper(pydukpt.encrypt_pin(key, pin, pan)),
                "retail_mac_request": upper(mac),
            },
        )


def triple_des_block(name, pin, pan):
    encode = {"ISO0": pinblock.encode_pinblock_iso_0, "ISO3": pinblock.encode_pinblock_iso_3}
    return encode[name](pin, pan)


def letters(clear, pin, pan):
    """What fills a clear block of format 3."""
    field = int.from_bytes(clear, "big") ^ int(pan[-13:-1], 16)
    return f"{field:016X}"[2 + len(pin) :]


FAMILIES = [
    "pinblock_iso0",
    "pinblock_iso2",
    "pinblock_iso3",
    "pinblock_iso4",
    "pin_translate",
    "ibm3624",
    "visa_pvv",
    "cvv",
    "mac_alg1_des",
    "mac_alg1_tdes",
    "mac_alg3",
    "cmac_aes",
    "tr31_unwrap",
    "tr31_reject",
    "emv_icc_mk_a",
    "emv_common_sk",
    "emv_cvn10",
    "emv_cvn18",
    "dukpt_tdes",
]


def make(seed, count):
    maker, vectors = Maker(seed), []
    for family in FAMILIES:
        for number in range(1, count + 1):
            inputs, expected = getattr(maker, family)()
            vectors.append(
                {"id": f"{family}-peer-{number}", "family": family, "inputs": inputs, "expected": expected}
            )
    about = "Computed by psec 1.3.0, pyemv 1.5.0, pydukpt 0.1.0 and pycryptodome 4.4.0 over random test keys."
    json.dump({"about": about, "vectors": vectors}, sys.stdout)


def opened(vector):
    """Whether a peer finds in a block what hsm-sim says it put there."""
    inputs, expected = vector["inputs"], vector["expected"]
    if vector["family"] == "tr31_unwrap":
        header, key = psec.tr31.unwrap(bytes.fromhex(inputs["kbpk"]), inputs["key_block"])
        told = (header.version_id, header.key_usage, header.algorithm, header.mode_of_use, header.exportability)
        names = ("version", "key_usage", "algorithm", "mode_of_use", "exportability")
        return upper(key) == expected["key"] and told == tuple(expected[name] for name in names)
    block = bytes.fromhex(expected["encrypted"])
    if vector["family"] == "pinblock_iso3":
        clear = psec_des.decrypt_tdes_ecb(bytes.fromhex(inputs["zpk"]), block)
        return pinblock.decode_pinblock_iso_3(clear, inputs["pan"]) == inputs["pin"]
    if vector["family"] == "pinblock_iso4":
        key = bytes.fromhex(inputs["aes_key"])
        return pinblock.decipher_pinblock_iso_4(key, block, inputs["pan"]) == inputs["pin"]
    raise ValueError(f"no peer for {vector['family']}")


def verify(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)["vectors"]
    totals, bad = {}, []
    for vector in vectors:
        good, total = totals.get(vector["family"], (0, 0))
        agreed = opened(vector)
        totals[vector["family"]] = (good + agreed, total + 1)
        if not agreed:
            bad.append(vector["id"])
    for family, (good, total) in totals.items():
        print(f"{family:<20} {good} of {total}")
    for name in bad:
        print(f"  {name}: the peer finds something else")
    sys.exit(1 if bad or not vectors else 0)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", seed, count]:
            make(int(seed), int(count))
        case ["verify", path]:
            verify(path)
        case _:
            sys.exit(__doc__)
