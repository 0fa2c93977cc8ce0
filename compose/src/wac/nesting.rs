//! Refuses text that is nested so deeply that reading it would need too much
//! stack, or with types so large that it would take too long.

use std::collections::HashMap;

use wac_parser::lexer::{Lexer, Token};

use crate::wac::WacError;
use crate::wac::excerpt::Source;

/// How deep brackets of any kind may be nested: far more than people write, far
/// less than what the parser has stack for.
const MAXIMUM: usize = 64;

/// How many types a text may declare: each can be built of the one before, and
/// encoding goes down to the first.
const MAXIMUM_TYPES: usize = 1_000;

/// Of how many types a type may consist, those inside it counted with each use:
/// what the validator of components allows.
const MAXIMUM_SIZE: u32 = 1_000_000;

/// Fails if the parser, which calls itself for each bracket, would go too deep.
pub(super) fn refuse_deep(source: &Source<'_>) -> Result<(), WacError> {
    // The parser says the same, with the same place.
    let Ok(lexer) = Lexer::new(source.text) else {
        return Ok(());
    };
    let mut depth = 0_usize;
    let mut types = 0_usize;
    let mut sizes = Sizes::default();
    for (token, span) in lexer {
        let text = &source.text[span.offset()..span.offset() + span.len()];
        match token {
            Ok(Token::OpenBrace | Token::OpenParen | Token::OpenBracket | Token::OpenAngle) => {
                depth += 1;
            }
            Ok(Token::CloseBrace | Token::CloseParen | Token::CloseBracket | Token::CloseAngle) => {
                depth = depth.saturating_sub(1);
            }
            Ok(
                Token::TypeKeyword
                | Token::RecordKeyword
                | Token::VariantKeyword
                | Token::InterfaceKeyword
                | Token::WorldKeyword,
            ) => types += 1,
            _ => {}
        }
        if let Ok(token) = token {
            sizes.read(token, text, depth);
        }
        let message = if depth > MAXIMUM {
            format!("brackets are nested more than {MAXIMUM} deep")
        } else if types > MAXIMUM_TYPES {
            format!("more than {MAXIMUM_TYPES} types are declared")
        } else if sizes.largest > MAXIMUM_SIZE {
            format!("this type consists of more than {MAXIMUM_SIZE} types")
        } else {
            continue;
        };
        return Err(WacError::Text {
            excerpt: source.at(span.offset(), span.len(), &message),
        });
    }
    Ok(())
}

/// How large the declared types are, as far as single words tell: a type is as large
/// as all types that are named in its declaration.
#[derive(Default)]
struct Sizes<'s> {
    by_name: HashMap<&'s str, u32>,
    /// The keyword of a declaration was the last word.
    is_name_next: bool,
    declared: Option<Declaration<'s>>,
    largest: u32,
}

struct Declaration<'s> {
    name: &'s str,
    size: u32,
    /// How deep in brackets it began.
    depth: usize,
}

impl<'s> Sizes<'s> {
    /// Takes the next word; `depth` is that after it.
    fn read(&mut self, token: Token, text: &'s str, depth: usize) {
        match token {
            Token::TypeKeyword | Token::RecordKeyword | Token::VariantKeyword => {
                self.is_name_next = true;
                return;
            }
            Token::Ident if self.is_name_next => {
                self.declared = Some(Declaration {
                    name: text,
                    size: 1,
                    depth,
                });
            }
            Token::Ident => {
                if let Some(declared) = &mut self.declared {
                    let size = self.by_name.get(text).copied().unwrap_or(0);
                    declared.size = declared.size.saturating_add(size);
                    self.largest = self.largest.max(declared.size);
                }
            }
            Token::Semicolon | Token::CloseBrace => {
                let ended = self.declared.take_if(|declared| depth <= declared.depth);
                if let Some(Declaration { name, size, .. }) = ended {
                    self.by_name.insert(name, size);
                }
            }
            _ => {}
        }
        self.is_name_next = false;
    }
}
