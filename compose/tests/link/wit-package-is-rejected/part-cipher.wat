(component
  (type $cipher (component
    (type $interface (instance
      (type $encrypt (func (param "message" string) (result string)))
      (export "encrypt" (func (type $encrypt)))))
    (export "t:cipher/cipher@0.1.0" (instance (type $interface)))))
  (export "cipher" (type $cipher)))
