(module (func (export "encrypt")))
