# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=False
"""Subjects and snapshot keys, composed for every command: the compiled twin of `aggregate/engine/pure/keys.py`.

Tokens are checked and copied in one pass over their UTF-8 bytes into a buffer on the stack; the one Python object made is the result.
Built for the limited API, so only functions of the stable ABI are used.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize, PyBytes_Size
from libc.string cimport memcmp, memcpy

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    str PyUnicode_FromStringAndSize(const char *text, Py_ssize_t size)

cdef enum:
    TOKEN_LIMIT = 64
    ID_SIZE = 36
    DIGEST_SIZE = 8
    # "tenant." + 64 + ".aggregate." + 64 + "." + 36 is the longest of what is composed here
    BUFFER_SIZE = 256


cdef inline bint is_letter(unsigned char c) noexcept nogil:
    return 97 <= c <= 122 or 65 <= c <= 90


cdef inline bint is_token(const char *text, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i
    cdef unsigned char c
    for i in range(size):
        c = <unsigned char>text[i]
        if not (97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c == 95 or c == 45):
            return False
    return True


cdef inline bint is_type(const char *text, Py_ssize_t size) noexcept nogil:
    return 1 <= size <= TOKEN_LIMIT and is_letter(<unsigned char>text[0]) and is_token(text, size)


cdef inline int nibble(unsigned char c) noexcept nogil:
    """Value of a lower-case hex digit, -1 for what is none."""
    if 48 <= c <= 57:
        return c - 48
    if 97 <= c <= 102:
        return c - 87
    return -1


cdef bint read_id(const char *text, Py_ssize_t size, unsigned char *raw) noexcept nogil:
    """Read a canonical UUID into its 16 bytes; False when it is none."""
    cdef Py_ssize_t i = 0
    cdef int n, high, low
    if size != ID_SIZE or text[8] != 45 or text[13] != 45 or text[18] != 45 or text[23] != 45:
        return False
    for n in range(16):
        if n == 4 or n == 6 or n == 8 or n == 10:
            i += 1
        high = nibble(<unsigned char>text[i])
        low = nibble(<unsigned char>text[i + 1])
        if high < 0 or low < 0:
            return False
        raw[n] = <unsigned char>(high * 16 + low)
        i += 2
    return True


cdef struct Tokens:
    const char *tenant
    Py_ssize_t tenant_size
    const char *type
    Py_ssize_t type_size
    const char *id
    unsigned char raw[16]


cdef int read_tokens(str tenant, str aggregate_type, str aggregate_id, Tokens *tokens) except -1:
    cdef Py_ssize_t id_size
    tokens.tenant = utf8(tenant, &tokens.tenant_size)
    if tokens.tenant_size > TOKEN_LIMIT or not is_token(tokens.tenant, tokens.tenant_size):
        raise ValueError("not a tenant")
    tokens.type = utf8(aggregate_type, &tokens.type_size)
    if not is_type(tokens.type, tokens.type_size):
        raise ValueError("not an aggregate type")
    tokens.id = utf8(aggregate_id, &id_size)
    if not read_id(tokens.id, id_size, tokens.raw):
        raise ValueError("not a canonical lower-case UUID")
    return 0


cdef inline const char *utf8(str text, Py_ssize_t *size) except NULL:
    return PyUnicode_AsUTF8AndSize(text, size)


cdef inline char *put(char *end, const char *text, Py_ssize_t size) noexcept nogil:
    memcpy(end, text, size)
    return end + size


def subject(str tenant not None, str aggregate_type not None, str aggregate_id not None):
    """`tenant.<tenant or ~>.aggregate.<type>.<id>`, the subject of one aggregate."""
    cdef Tokens tokens
    cdef char buffer[BUFFER_SIZE]
    cdef char *end = buffer
    read_tokens(tenant, aggregate_type, aggregate_id, &tokens)
    end = put(end, b"tenant.", 7)
    if tokens.tenant_size:
        end = put(end, tokens.tenant, tokens.tenant_size)
    else:
        end = put(end, b"~", 1)
    end = put(end, b".aggregate.", 11)
    end = put(end, tokens.type, tokens.type_size)
    end = put(end, b".", 1)
    end = put(end, tokens.id, ID_SIZE)
    return PyUnicode_FromStringAndSize(buffer, end - buffer)


def split_subject(str subject not None):
    """The (tenant, type, id) that `subject` was composed of."""
    cdef Py_ssize_t size, start, end, tenant_size
    cdef unsigned char raw[16]
    cdef const char *text = utf8(subject, &size)
    if size > 7 and memcmp(text, b"tenant.", 7) == 0:
        start = 7
        end = start
        while end < size and text[end] != 46:
            end += 1
        tenant_size = end - start
        if (
            1 <= tenant_size <= TOKEN_LIMIT
            and (is_token(text + start, tenant_size) or (tenant_size == 1 and text[start] == 126))
            and size - end > 11
            and memcmp(text + end, b".aggregate.", 11) == 0
        ):
            start = end + 11
            end = size - ID_SIZE - 1
            if end > start and text[end] == 46 and is_type(text + start, end - start) and read_id(text + end + 1, ID_SIZE, raw):
                tenant = "" if text[7] == 126 else PyUnicode_FromStringAndSize(text + 7, tenant_size)
                return tenant, PyUnicode_FromStringAndSize(text + start, end - start), PyUnicode_FromStringAndSize(text + end + 1, ID_SIZE)
    raise ValueError("not the subject of an aggregate")


def snapshot_prefix(str tenant not None, str aggregate_id not None, str aggregate_type not None):
    """What all snapshots of an aggregate start with: tenant NUL, the 16 bytes of the id, type NUL."""
    cdef Tokens tokens
    cdef char buffer[BUFFER_SIZE]
    cdef char *end = buffer
    read_tokens(tenant, aggregate_type, aggregate_id, &tokens)
    end = put(end, tokens.tenant, tokens.tenant_size)
    end = put(end, b"\0", 1)
    end = put(end, <const char *>tokens.raw, 16)
    end = put(end, tokens.type, tokens.type_size)
    end = put(end, b"\0", 1)
    return PyBytes_FromStringAndSize(buffer, end - buffer)


def snapshot_key(bytes prefix not None, bytes digest8 not None, version not None):
    """The key of one snapshot: `prefix`, 8 bytes of the program's digest, version as 8 bytes big endian."""
    cdef Py_ssize_t size = PyBytes_Size(prefix)
    cdef unsigned long long number
    cdef char *end
    cdef int i
    if PyBytes_Size(digest8) != DIGEST_SIZE:
        raise ValueError("the digest of a snapshot key has 8 bytes")
    try:
        number = version
    except OverflowError:
        raise ValueError("the version of a snapshot key is an integer of 64 bits") from None
    key = PyBytes_FromStringAndSize(NULL, size + DIGEST_SIZE + 8)
    end = put(PyBytes_AsString(key), PyBytes_AsString(prefix), size)
    end = put(end, PyBytes_AsString(digest8), DIGEST_SIZE)
    for i in range(8):
        end[i] = <char>((number >> (56 - 8 * i)) & 0xFF)
    return key
