"""pyarrow opens a table's encrypted file, given its keys: all of them, or those of one column."""

import json
import sys

import pyarrow.parquet as parquet
import pyarrow.parquet.encryption as encryption

file, keys, column = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]


class Keys(encryption.KmsClient):
    """Finds a key by the names that the file's key material gives: the file's id, and `footer` or `column:NAME`."""

    def __init__(self, given):
        super().__init__()
        self.given = given

    def wrap_key(self, key_bytes, master_key_identifier):
        raise NotImplementedError("nothing is written here")

    def unwrap_key(self, wrapped_key, master_key_identifier):
        assert master_key_identifier == keys["file"], master_key_identifier
        return bytes.fromhex(self.given[wrapped_key])


def opened(given, columns=None):
    factory = encryption.CryptoFactory(lambda _: Keys(given))
    properties = factory.file_decryption_properties(encryption.KmsConnectionConfig())
    return parquet.ParquetFile(file, decryption_properties=properties).read(columns=columns)


table = opened(keys["keys"])
print(json.dumps({
    "rows": table.num_rows,
    "schema": [[field.name, str(field.type), field.nullable] for field in table.schema],
    "first": {field.name: table[field.name].to_pylist()[:3].__str__() for field in table.schema},
}))

some = {name: key for name, key in keys["keys"].items() if name in ("footer", f"column:{column}")}
assert opened(some, [column]).column(0).equals(table[column]), "one column by its own key"

for missing in ("footer", f"column:{column}"):
    try:
        opened({name: key for name, key in keys["keys"].items() if name != missing}, [column])
    except Exception:
        continue
    raise AssertionError(f"opened without {missing}")

try:
    parquet.ParquetFile(file)
except OSError:
    pass
else:
    raise AssertionError("opened without any key")
