"""temporary"""
import math
import numpy as np
from zygopy.transform.types import *
from zygopy.errors import DtypeError
from zygopy.transform.types import Scalar
def typeof(v, name="argument"):
    from zygopy.transform.signature import type_of_array
    if isinstance(v, tuple): return tuple(typeof(x, name) for x in v)
    if isinstance(v, np.ndarray): return type_of_array(v, name)
    if isinstance(v, (bool, np.bool_)): return BOOL
    if isinstance(v, np.generic): return FLOAT if v.dtype==np.float64 else INT if v.dtype==np.int64 else Scalar(v.dtype)
    if isinstance(v, int): return INT
    if isinstance(v, float): return FLOAT
    raise DtypeError(f"{name} is a {type(v).__name__}")
def _in(v):
    if isinstance(v, tuple): return tuple(map(_in, v))
    return np.float64(v) if isinstance(v, float) else v
def _out(v):
    if isinstance(v, tuple): return tuple(map(_out, v))
    return float(v) if isinstance(v, np.float64) else v
def compile(source):
    try:
        from zygopy.backends.runtime import HELPERS
    except ImportError: HELPERS={}
    ns={'np':np,'math':math,'grow':lambda t: np.concatenate([t,np.empty_like(t)]),'overlap':np.may_share_memory,**HELPERS,**source.names}
    exec(source.text, ns)
    f=ns[source.name]
    def run(*a):
        with np.errstate(all='ignore'): return _out(f(*map(_in,a)))
    return run
