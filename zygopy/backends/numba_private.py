"""temporary"""
class NativeFunction:
    def __init__(self, py, generate): raise NotImplementedError
